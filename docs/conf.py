"""Configuration of the documentation: built from the installed package, without network."""

import importlib.metadata

project = "leastsq"
author = "The leastsq developers"
copyright = "The leastsq developers"
release = importlib.metadata.version("leastsq")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
autodoc_typehints = "none"
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"leastsq {release}"
html_show_sphinx = False
html_copy_source = False
