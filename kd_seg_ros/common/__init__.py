"""What every room uses: errors, class names, the package's own files, decoding of images. No ROS in here."""
