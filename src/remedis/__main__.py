"""`python -m remedis`, and `torchrun -m remedis` for several processes."""

from remedis.cli import main

if __name__ == "__main__":  # spawned workers import this file under another name
    main()
