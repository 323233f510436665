"""What people write without this project: LeNet-5 in PyTorch, and torchinfo's table of it."""

import torchinfo
from torch import nn

net = nn.Sequential(
    nn.Conv2d(1, 6, 5),
    nn.Tanh(),
    nn.AvgPool2d(2),
    nn.Conv2d(6, 16, 5),
    nn.Tanh(),
    nn.AvgPool2d(2),
    nn.Flatten(),
    nn.Linear(400, 120),
    nn.Tanh(),
    nn.Linear(120, 84),
    nn.Tanh(),
    nn.Linear(84, 10),
)
print(torchinfo.summary(net, (1, 1, 32, 32), verbose=0))
