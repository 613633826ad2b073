"""Makes the example session of `nanoferry demo`: generated pictures in genuine vendor tag layouts."""

from uploader.demo.faults import DemoFault
from uploader.demo.session import DemoSession, make_session

__all__ = ["DemoFault", "DemoSession", "make_session"]
