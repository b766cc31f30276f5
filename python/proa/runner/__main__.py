"""The entry point: ``python -m proa.runner``."""

import sys

from proa.runner.main import main

sys.exit(main())
