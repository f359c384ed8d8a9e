"""Packages for setuptools; everything else is in setup.cfg.

``twisted.plugins`` is named here because it is Twisted's own package, to which the two card files are added: it has no
``__init__.py`` that could be found.
"""

from setuptools import find_packages, setup

setup(packages=[*find_packages("src"), "twisted.plugins"])
