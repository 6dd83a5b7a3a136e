"""What marapatch is compared with: other programs, other attacks, plain maraboupy."""
