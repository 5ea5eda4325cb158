"""How a command reaches the process that has an embedded store open: a socket in the store's directory.

The socket is its owner's alone, as the process is. A request is a line of JSON, the answer a line for each event;
closing the connection ends the operation.
"""
