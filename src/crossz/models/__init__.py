"""The cross-modal network, its backbones, and the photometry-only references."""
