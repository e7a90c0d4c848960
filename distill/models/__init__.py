"""The networks, one file each, their catalogue, and what is put around them on the vehicle."""
