"""The runner: executes one attempt of one step, as ``python -m proa.runner``.

The launcher names a request file in the environment variable PROA_REQUEST. The runner imports the step's function,
loads its inputs, calls it, saves its outputs, and writes a result file. It exits with 0, with 1 after an exception, or
with the code that the step's own ``sys.exit`` asked for.
"""
