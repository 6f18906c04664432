// A plain hub on ws: a Set of sockets per room, everything that comes in goes
// to all of them.
'use strict';
const { createServer } = require('http');
const { WebSocketServer } = require('ws');

const deflate = process.argv.includes('-deflate');
const server = createServer();
const wss = new WebSocketServer({
  server,
  perMessageDeflate: deflate && { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 1024 },
});
const rooms = new Map();
wss.on('connection', (socket, request) => {
  const name = new URL(request.url, 'http://x').searchParams.get('room');
  if (!rooms.has(name)) rooms.set(name, new Set());
  const room = rooms.get(name);
  room.add(socket);
  socket.on('close', () => room.delete(socket));
  socket.on('error', () => {});
  socket.on('message', (data) => {
    for (const member of room) member.send(data, { binary: false });
  });
});
server.listen(0, '127.0.0.1', 4096, () => console.log(`127.0.0.1:${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
