"""What the notebooks of *From Files to Findings* import.

The stages, in the order in which data flow through them: `dataset` (where the study is), `layout` (names of files),
`confounds` and `atlases`, `signals` (time series), `connectomes`, `figures`. `truth` reads what the simulator planted;
`exercises` holds the solutions and judges answers.
"""

__version__ = "0.1.0"
