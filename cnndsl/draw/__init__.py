"""Pictures of networks.

    graph, analysis --outline--> Item (a tree: blocks, repeats, layers with what belongs to them)
                    --fold--> Item (what is not looked into has no children)
                    --a style--> Scene (boxes, arrows and labels with coordinates)
                    --a format--> SVG, PNG, PDF, DOT, TikZ, Mermaid, HTML

A style is one module of `styles/`: it sees items and gives a scene. A format is one module of `formats/`: it sees a
scene and nothing else. Neither knows the other.
"""
