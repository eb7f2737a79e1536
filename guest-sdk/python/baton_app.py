"""What componentize-py is told to make a component of: `componentize-py … componentize -p SDK -p . baton_app`."""

from baton.app import Lifecycle

__all__ = ["Lifecycle"]
