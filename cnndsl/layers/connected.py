"""The PyTorch source of a convolution with a connection table, as LeNet-5's C3 has."""

from __future__ import annotations

from cnndsl.layers.code import Support


def connected(rank: int) -> Support:
    """A convolution that has only the kernels its connection table names."""
    return Support(
        f"ConnectedConv{rank}d",
        f'''class ConnectedConv{rank}d(nn.Module):
    """A convolution whose output channel `i` sees only the input channels `table[i]`.

    `weight` holds one kernel for each connection, in the table's order, and nothing for the others.
    """

    def __init__(self, in_channels, table, kernel_size, stride=1, padding=0, dilation=1, bias=True):
        super().__init__()
        kernel_size = (kernel_size,) * {rank} if isinstance(kernel_size, int) else kernel_size
        self.shape = (len(table), in_channels, *kernel_size)
        self.options = {{"stride": stride, "padding": padding, "dilation": dilation}}
        rows = torch.tensor([i for i, row in enumerate(table) for _ in row])
        columns = torch.tensor([j for row in table for j in row])
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)
        self.weight = nn.Parameter(torch.empty(len(self.rows), *kernel_size))
        self.bias = nn.Parameter(torch.empty(len(table))) if bias else None
        self.reset_parameters()

    def fan_in(self):
        """How many inputs a unit of each output channel has."""
        return torch.bincount(self.rows, minlength=self.shape[0]) * self.weight[0].numel()

    def reset_parameters(self):
        bound = self.fan_in().rsqrt()
        with torch.no_grad():
            self.weight.uniform_(-1, 1).mul_(bound[self.rows].view(-1, {", ".join("1" * rank)}))
            if self.bias is not None:
                self.bias.uniform_(-1, 1).mul_(bound)

    def forward(self, x):
        weight = self.weight.new_zeros(self.shape).index_put((self.rows, self.columns), self.weight)
        return F.conv{rank}d(x, weight, self.bias, **self.options)
''',
    )


LECUN = Support(
    "connected_lecun_uniform_",
    '''def connected_lecun_uniform_(conv):
    """Start each output channel's weights and bias uniform within 2.4 / its fan-in (LeCun et al. 1998, appendix A)."""
    bound = 2.4 / conv.fan_in()
    with torch.no_grad():
        conv.weight.uniform_(-1, 1).mul_(bound[conv.rows].view(-1, *[1] * (conv.weight.dim() - 1)))
        if conv.bias is not None:
            conv.bias.uniform_(-1, 1).mul_(bound)
''',
)

HE = Support(
    "connected_he_normal_",
    '''def connected_he_normal_(conv):
    """Start each output channel's weights normal with variance 2 / its fan-in (He et al. 2015), biases at zero."""
    std = (2 / conv.fan_in()).sqrt()
    with torch.no_grad():
        conv.weight.normal_().mul_(std[conv.rows].view(-1, *[1] * (conv.weight.dim() - 1)))
        if conv.bias is not None:
            conv.bias.zero_()
''',
)
