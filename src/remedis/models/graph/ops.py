"""The operations of TensorFlow that `graph` can execute, by TensorFlow's names.

To add one, write a function of a node, its inputs and the context that returns the output (a tuple where there are
several) in the file where its likes are, put it into that file's table, and give it cases in
`tests/models/make_operations.py`: a test refuses an operation that was not held against TensorFlow.
"""

from __future__ import annotations

from remedis.models.graph.context import Operation
from remedis.models.graph.elementwise import ELEMENTWISE
from remedis.models.graph.reductions import REDUCTIONS
from remedis.models.graph.resize import RESIZES
from remedis.models.graph.shapes import SHAPES
from remedis.models.graph.sources import SOURCES
from remedis.models.graph.windows import WINDOWS

OPERATIONS: dict[str, Operation] = {**SOURCES, **ELEMENTWISE, **REDUCTIONS, **SHAPES, **RESIZES, **WINDOWS}
"""Each operation's computation by its name."""
