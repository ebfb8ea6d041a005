"""``python -m risdoa`` is the command ``risdoa``."""

import sys

from risdoa.cli import main

sys.exit(main())
