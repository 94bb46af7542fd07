"""What libkmod reads and answers: its files, its context, its configuration."""

from pyalias.kmod.configuration import Configuration
from pyalias.kmod.context import Kmod, Validity
from pyalias.kmod.module import Module
from pyalias.kmod.show_depends import Action

__all__ = ["Action", "Configuration", "Kmod", "Module", "Validity"]
