"""Only what pyproject.toml cannot say: the cffi extension and the tag of its wheel."""

import sysconfig

from setuptools import setup

# Free-threaded CPython has no limited API; elsewhere one wheel serves every Python from 3.11 on.
abi3 = not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    cffi_modules=["csrc/build_ffi.py:ffi"],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if abi3 else {},
)
