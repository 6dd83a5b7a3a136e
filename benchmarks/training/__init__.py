"""How the two bundled MNIST networks were trained."""
