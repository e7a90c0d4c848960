"""What every room uses: errors, names of classes and topics, files, decoding of images. No ROS in here."""
