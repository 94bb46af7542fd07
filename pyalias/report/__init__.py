"""The report: what a scan found, as plain data (``Report``) and as one page of HTML that needs no network."""

from pyalias.report.build import build_report
from pyalias.report.model import Counts, Report
from pyalias.report.page import render_page

__all__ = ["Counts", "Report", "build_report", "render_page"]
