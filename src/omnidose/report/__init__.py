"""The report: one self-contained HTML file that works offline.

``render(content)`` in :mod:`omnidose.report.html` is the door; what it needs stands in
:class:`omnidose.report.content.ReportContent`.
"""

from __future__ import annotations
