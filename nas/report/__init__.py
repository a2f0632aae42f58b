"""From records to what people look at: frame, tables, figures, page. Importing this loads no plotly, no pandas."""

from nas.report.analysis import Analysis, Result, analyse
from nas.report.study import StudyReport
from nas.report.write import ReportError, write_report

__all__ = ["Analysis", "ReportError", "Result", "StudyReport", "analyse", "write_report"]
