"""Procedural road scenes: pictures, labels and depth of made-up streets in adverse weather.

The world is in metres (x right, y up, z along the street). From seed to picture:

- ``street`` lays out a ``layout.Street`` and fills it with ``things`` and ``traffic``;
- ``ground`` and the things are drawn into a ``canvas.Canvas``: albedo, normal, depth, label of every pixel;
- ``weather`` lights it and puts it into fog, night, rain or snow by the laws its modules name;
- ``sensor`` exposes the picture; ``render`` does all of this for one frame.

``dataset`` writes many streets in ACDC's layout; ``drive`` and ``bag`` write the view of a moving camera into
a rosbag2. The command line is ``distill.commands.scenes``.

Labels and depth never change with the weather. Labels follow the annotators of Cityscapes where one can see
through a thing: gaps of fences, spokes and bare crowns carry its label.
"""
