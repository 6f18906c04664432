// Socket.IO over its WebSocket transport: one event, "m", sent on to the room.
'use strict';
const { createServer } = require('http');
const { Server } = require('socket.io');

const deflate = process.argv.includes('-deflate');
const server = createServer();
const io = new Server(server, {
  transports: ['websocket'],
  serveClient: false,
  perMessageDeflate: deflate && { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 1024 },
});
io.on('connection', (socket) => {
  const room = socket.handshake.query.room;
  socket.join(room);
  socket.on('m', (data) => io.to(room).emit('m', data));
});
server.listen(0, '127.0.0.1', 4096, () => console.log(`127.0.0.1:${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
