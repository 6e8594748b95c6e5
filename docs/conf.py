"""Configuration of the documentation: built from the installed package, without network."""

import importlib.metadata
import os
import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx import addnodes

import leastsq

project = "leastsq"
author = "The leastsq developers"
copyright = "The leastsq developers"
release = importlib.metadata.version("leastsq")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
plot_formats = [("png", 110)]
plot_html_show_formats = False
plot_html_show_source_link = False

# Names in single back ticks link where they are found.
default_role = "autolink"
# Copied are the inputs of examples, without their prompts.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Links to other projects need their inventories, which only a build on line can fetch: LEASTSQ_DOCS_ONLINE=1.
intersphinx_mapping = (
    {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "xarray": ("https://docs.xarray.dev/en/stable", None),
        "dask": ("https://docs.dask.org/en/stable", None),
    }
    if os.environ.get("LEASTSQ_DOCS_ONLINE")
    else {}
)

sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 60,
    "image_srcset": ["2x"],
}
# Pictures keep their white ground in the dark, with a margin.
html_static_path = ["static"]
html_css_files = ["site.css"]

# Links of CONTRIBUTING to files of the repository, which are not pages.
suppress_warnings = ["myst.xref_missing", "myst.header"]
exclude_patterns = ["gallery/**/*.ipynb"]

html_math_renderer = "mathml"
html_theme = "furo"
# Lines of code of 96 characters fit the column.
html_theme_options = {f"{shade}_css_variables": {"code-font-size": "0.75em"} for shade in ("light", "dark")}
html_title = f"leastsq {release}"
html_show_sphinx = False
html_copy_source = False


def escape_initials(text: str) -> str:
    """Escape the first initial of an author, which would begin an enumeration."""
    return re.sub(r"^(\s*\.\. \[\S+\] )(?=[A-Z]\. )", r"\1\\", text, flags=re.MULTILINE)


# What a page names in double back ticks, or in single ones where another module is meant, links to the reference, too:
# all that is public, but the name of the package, which is that of a function as well.
LINKED = {name: f"leastsq.{name}" for name in leastsq.__all__ if name not in ("leastsq", "models", "native")}
LINKED |= {f"native.{name}": f"leastsq.native.{name}" for name in ("jit", "model")}
LINKED |= {f"models.{name}": f"leastsq.models.{name}" for name in leastsq.models.__all__}
LINKED |= {name: name for name in (*LINKED.values(), "leastsq.xarray.curvefit", "leastsq.astropy.LevMarFitter")}


def link_names(app, doctree):
    """Make links of public names in running text."""
    for literal in [*doctree.findall(nodes.literal), *doctree.findall(nodes.emphasis)]:
        target = LINKED.get(literal.astext().removesuffix("()"))
        if target is None or isinstance(literal.parent, (nodes.title, nodes.reference, addnodes.pending_xref)):
            continue
        link = addnodes.pending_xref("", reftype="obj", refdomain="py", reftarget=target, refexplicit=True)
        link["refdoc"] = app.env.docname
        literal.replace_self(link)
        link += literal


def typeset(display):
    """Write formulas as MathML, which browsers draw without a script from elsewhere."""

    def visit(translator, node):
        translator.body.append(convert(node.astext(), display=display))
        raise nodes.SkipNode

    return visit, None


def setup(app):
    """Register the above for pages and docstrings."""
    app.add_html_math_renderer("mathml", inline_renderers=typeset("inline"), block_renderers=typeset("block"))

    def page(app, name, source):
        source[:] = map(escape_initials, source)

    def docstring(app, what, name, obj, options, lines):
        lines[:] = map(escape_initials, lines)

    app.connect("doctree-read", link_names)
    app.connect("source-read", page)
    app.connect("autodoc-process-docstring", docstring, priority=900)
