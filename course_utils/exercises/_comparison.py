"""What every comparison can do."""

from abc import ABC, abstractmethod


class Comparison(ABC):
    """Judge an answer against the expected one.

    A kind of comparison writes the three methods below whose names begin with an underscore.
    """

    def handles(self, value):
        """Tell whether this comparison can judge answers against a value.

        Parameters
        ----------
        value : object
            What is expected, or what a wrong solution gave.

        Returns
        -------
        bool
            Whether it is of the kind that this comparison is for.
        """
        return self._handles(value)

    def expects(self, expected):
        """Name the kind of thing that is asked for.

        Parameters
        ----------
        expected : object
            The right answer, of a kind that is handled.

        Returns
        -------
        str
            Type, shape, unit, range; never the value.
        """
        return self._expects(expected)

    def __call__(self, answer, expected):
        """Compare an answer with the expected one; neither is changed.

        Parameters
        ----------
        answer : object
            Anything.
        expected : object
            The right answer, of a kind that is handled.

        Returns
        -------
        str or None
            None if they are equal, otherwise one sentence that says what differs, and not what would be right.
        """
        return self._differs(answer, expected)

    @abstractmethod
    def _handles(self, value):
        """Do the work of `handles`."""

    @abstractmethod
    def _expects(self, expected):
        """Do the work of `expects`."""

    @abstractmethod
    def _differs(self, answer, expected):
        """Do the work of a call."""
