"""What every suite uses: rows on the disk, processes of their own, command lines, markdown."""
