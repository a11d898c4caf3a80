"""What a machine without a network needs: see docs/gpu.md. Standard library only."""
