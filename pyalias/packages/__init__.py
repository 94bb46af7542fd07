"""Kernels that are not installed: packages, archives, initramfs images, and module files themselves."""

from pyalias.packages.archives import is_package
from pyalias.packages.texts import module_files, read_module_texts

__all__ = ["is_package", "module_files", "read_module_texts"]
