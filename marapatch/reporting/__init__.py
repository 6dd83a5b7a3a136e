"""What people and programs are shown, whatever was asked."""
