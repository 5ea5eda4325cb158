"""How a command reaches the process that has an embedded store open: a socket in the store's directory.

Who may use it is who may write to the directory: the socket is its owner's alone. A request is a line of JSON, the answer
a line for each event; closing the connection ends the operation.
"""
