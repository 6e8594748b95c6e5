"""Configuration of the documentation: built from the installed package, without network."""

import importlib.metadata
import re

project = "leastsq"
author = "The leastsq developers"
copyright = "The leastsq developers"
release = importlib.metadata.version("leastsq")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "matplotlib.sphinxext.plot_directive"]
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
plot_formats = [("png", 110)]
plot_html_show_formats = False
plot_html_show_source_link = False

html_theme = "furo"
# Lines of code of 96 characters fit the column.
html_theme_options = {f"{shade}_css_variables": {"code-font-size": "0.75em"} for shade in ("light", "dark")}
html_title = f"leastsq {release}"
html_show_sphinx = False
html_copy_source = False


def escape_initials(text: str) -> str:
    """Escape the first initial of an author, which would begin an enumeration."""
    return re.sub(r"^(\s*\.\. \[\S+\] )(?=[A-Z]\. )", r"\1\\", text, flags=re.MULTILINE)


def setup(app):
    """Register the above for pages and docstrings."""

    def page(app, name, source):
        source[:] = map(escape_initials, source)

    def docstring(app, what, name, obj, options, lines):
        lines[:] = map(escape_initials, lines)

    app.connect("source-read", page)
    app.connect("autodoc-process-docstring", docstring, priority=900)
