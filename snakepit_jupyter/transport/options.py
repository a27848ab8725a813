"""What all our gRPC channels and servers have in common."""

# Calls and chunks may be as large as memory allows: no peer meets gRPC's 4 MiB limit.
CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # One process may hold channels to two bridges; a shared connection would outlive either.
    ("grpc.use_local_subchannel_pool", 1),
    # gRPC would widen its windows to several MiB of chunks under way; on one machine small ones are as fast.
    ("grpc.http2.bdp_probe", 0),
    # Several workers must never answer on one address.
    ("grpc.so_reuseport", 0),
)
