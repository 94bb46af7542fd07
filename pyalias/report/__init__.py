"""Reports: what a scan or a diff found, as plain data and as one page of HTML that needs no network."""

from pyalias.report.build import build_report
from pyalias.report.diff import DiffReport, report_diff
from pyalias.report.model import Counts, Report
from pyalias.report.page import render_page

__all__ = ["Counts", "DiffReport", "Report", "build_report", "render_page", "report_diff"]
