"""What only proposes: attacks, polishing, linear regions. Nothing here is believed before it is
replayed."""
