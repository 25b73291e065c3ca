"""`python -m remedis`, so that `torchrun -m remedis` works."""

from remedis.cli import main

main()
