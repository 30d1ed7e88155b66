"""Nuclear medicine: what was given to a patient, and the doses of it.

Not yet a registered modality: its rooms (``physics.nuclides``, ``kinetics``, dose kernels of ``transport``)
are built first; see ``docs/development/nuclear.md``.
"""
