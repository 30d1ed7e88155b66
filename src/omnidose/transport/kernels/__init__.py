"""The physics of a photon history in scalar functions, one source for CPU and CUDA.

The modules import each other and ``_target`` by relative names: a backend loads the same files under another
package name, with another ``_target`` (what ``jit`` and ``tally_add`` mean).

Arithmetic is float32 throughout. Every constant is float32 or an explicitly typed integer: mixing would
promote the arithmetic to double precision.
"""
