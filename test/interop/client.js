// SPDX-License-Identifier: LGPL-2.1-or-later
//
// client.js - the tests with grpc-js, run by node_interop.py, which names the sockets
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const test = require('node:test');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const env = process.env;
const MIB = 1 << 20;
const credentials = grpc.credentials.createInsecure();
const clients = [];

function load(file) {
  const options = { keepCase: true, enums: String, longs: Number, defaults: true,
    includeDirs: [env.PROTO] };
  return grpc.loadPackageDefinition(loader.loadSync(file, options));
}

const protos = {
  echo: load(env.ECHO_PROTO).test.Echo,
  kata: load('ksm.proto').ksm.KSMThrottler,
  throttler: load('throttler.proto').KSMThrottler,
  agent: load('virtksm.proto').virtksm.v1.Agent,
  health: load('grpc/health/v1/health.proto').grpc.health.v1.Health,
  v1: load('grpc/reflection/v1/reflection.proto').grpc.reflection.v1.ServerReflection,
  v1alpha: load('grpc/reflection/v1alpha/reflection.proto').grpc.reflection.v1alpha.ServerReflection,
};

// A connection of its own: clients of one address would share one.
function connect(Service, path) {
  const client = new Service('unix://' + path, credentials, {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_send_message_length': 64 * MIB,
  });
  clients.push(client);
  return client;
}

// The answer of a call with one answer.
function ask(client, method, request, options) {
  return new Promise((resolve, reject) => {
    client[method](request, options || {}, (error, answer) => error ? reject(error) : resolve(answer));
  });
}

// All answers of a stream, until it ends.
function all(stream) {
  return new Promise((resolve, reject) => {
    const answers = [];
    stream.on('data', (answer) => answers.push(answer));
    stream.on('end', () => resolve(answers));
    stream.on('error', reject);
  });
}

// The next answers of a stream, one for each call.
function reader(stream) {
  const waiting = [];
  const got = [];
  const settle = (item) => waiting.length ? waiting.shift()(item) : got.push(item);
  stream.on('data', (value) => settle({ value }));
  stream.on('error', (error) => settle({ error }));
  stream.on('end', () => settle({ end: true }));
  return async () => {
    const item = got.length ? got.shift() : await new Promise((resolve) => waiting.push(resolve));
    if (item.error) {
      throw item.error;
    }
    return item.value;
  };
}

async function fails(code, promise) {
  await assert.rejects(promise, (error) => {
    assert.strictEqual(grpc.status[error.code], grpc.status[code], error.message);
    return true;
  });
}

test('unary', async () => {
  const echo = connect(protos.echo, env.ECHO);
  for (const text of ['', 'hi', '\u00e4\u4e2d\u{1f600}', 'x'.repeat(100000)]) {
    assert.strictEqual((await ask(echo, 'Unary', { text })).text, text);
  }
});

test('server stream', async () => {
  const echo = connect(protos.echo, env.ECHO);
  const answers = await all(echo.Split({ count: 3000, size_bytes: 2000 }));
  assert.deepStrictEqual(answers.map((a) => a.index), [...Array(3000).keys()]);
  assert.ok(answers.every((a) => a.padding.length === 2000));
});

test('client stream', async () => {
  const echo = connect(protos.echo, env.ECHO);
  const answer = await new Promise((resolve, reject) => {
    const stream = echo.Join((error, reply) => error ? reject(error) : resolve(reply));
    for (let i = 0; i < 500; i++) {
      stream.write({ text: i + ' ' });
    }
    stream.end();
  });
  assert.strictEqual(answer.text, [...Array(500).keys()].map((i) => i + ' ').join(''));
});

test('bidirectional stream, by turns', async () => {
  const stream = connect(protos.echo, env.ECHO).Chat();
  const next = reader(stream);
  for (let i = 0; i < 100; i++) {
    stream.write({ text: 'turn ' + i });
    assert.strictEqual((await next()).text, 'turn ' + i);
  }
  stream.end();
  assert.strictEqual(await next(), undefined);
});

test('two hundred streams at the same time', async () => {
  const echo = connect(protos.echo, env.ECHO);
  const streams = [...Array(200)].map(() => echo.Chat());
  const nexts = streams.map(reader);
  for (let turn = 0; turn < 3; turn++) {
    streams.forEach((stream, i) => stream.write({ text: turn + '.' + i }));
    const answers = await Promise.all(nexts.map((next) => next()));
    answers.forEach((answer, i) => assert.strictEqual(answer.text, turn + '.' + i));
  }
  streams.forEach((stream) => stream.end());
  assert.ok((await Promise.all(nexts.map((next) => next()))).every((end) => end === undefined));
});

test('statuses and their texts', async () => {
  const echo = connect(protos.echo, env.ECHO);
  for (let code = 1; code <= 16; code++) {
    await assert.rejects(ask(echo, 'Unary', { text: 'fail', count: code }), (error) => {
      assert.strictEqual(error.code, code);
      assert.strictEqual(error.details, 'asked to fail: 100 % \u00e4\n');
      return true;
    });
  }
});

test('deadline', async () => {
  const echo = connect(protos.echo, env.ECHO);
  await fails(grpc.status.DEADLINE_EXCEEDED,
    ask(echo, 'Unary', { text: 'hang' }, { deadline: Date.now() + 300 }));
  await fails(grpc.status.DEADLINE_EXCEEDED,
    all(echo.Split({ count: 0 }, { deadline: Date.now() + 300 })));
});

test('cancellation', async () => {
  const echo = connect(protos.echo, env.ECHO);
  await fails(grpc.status.CANCELLED, new Promise((resolve, reject) => {
    const call = echo.Unary({ text: 'hang' }, (error) => error ? reject(error) : resolve());
    setTimeout(() => call.cancel(), 50);
  }));
  const stream = echo.Split({ count: 0 });
  const next = reader(stream);
  await next();
  stream.cancel();
  await fails(grpc.status.CANCELLED, next());
  assert.strictEqual((await ask(echo, 'Unary', { text: 'on' })).text, 'on');
});

test('messages beyond four mebibytes', async () => {
  const echo = connect(protos.echo, env.ECHO);
  const text = 'x'.repeat(3 * MIB);
  assert.strictEqual((await ask(echo, 'Unary', { text })).text.length, text.length);
  for (const size of [4 * MIB, 8 * MIB]) {
    await fails(grpc.status.RESOURCE_EXHAUSTED, ask(echo, 'Unary', { text: 'x'.repeat(size) }));
  }
  assert.strictEqual((await ask(echo, 'Unary', { text: 'on' })).text, 'on');
});

test('read-only sockets', async () => {
  await fails(grpc.status.PERMISSION_DENIED,
    ask(connect(protos.echo, env.ECHO_RO), 'Write', { text: 'w' }));
  const agent = connect(protos.agent, env.DAEMON_RO);
  assert.strictEqual((await ask(agent, 'Status', {})).mode, 'auto');
  await fails(grpc.status.PERMISSION_DENIED, ask(agent, 'Kick', {}));
  assert.strictEqual(fs.readFileSync(env.KSM_RUN, 'utf8'), '0\n');
});

test("Kata's client", async () => {
  await ask(connect(protos.kata, env.KATA), 'Kick', {});
  assert.strictEqual(fs.readFileSync(env.KSM_RUN, 'utf8'), '1\n');
  await fails(grpc.status.UNIMPLEMENTED, ask(connect(protos.agent, env.KATA), 'Status', {}));
});

test('clients that report their machines follow each other', async () => {
  const [first, second] = ['first', 'second'].map(() => connect(protos.throttler, env.DAEMON));
  await fails(grpc.status.FAILED_PRECONDITION, all(first.Events()));
  await ask(first, 'Register', { name: 'js-first' });
  await ask(second, 'Register', { name: 'js-second' });
  await fails(grpc.status.FAILED_PRECONDITION, ask(second, 'Register', { name: 'js-other' }));
  const streams = [first.Events(), second.Events()];
  await Promise.all(streams.map((s) => new Promise((resolve) => s.on('metadata', resolve))));
  const nexts = streams.map(reader);
  for (const type of ['CREATING', 'CREATED', 'DESTROYING', 'DESTROYED', 'CREATED']) {
    streams[0].write({ vm_id: 'js-vm', type });
    assert.deepStrictEqual(await nexts[1](), { vm_id: 'js-vm', type });
  }
  streams[0].cancel();
  assert.deepStrictEqual(await nexts[1](), { vm_id: 'js-vm', type: 'DESTROYED' });
  streams[1].write({ vm_id: '', type: 'CREATED' });
  await fails(grpc.status.INVALID_ARGUMENT, nexts[1]());
  await fails(grpc.status.CANCELLED, nexts[0]());
});

test('events of the daemon', async () => {
  const agent = connect(protos.agent, env.DAEMON);
  const stream = agent.Watch({});
  await new Promise((resolve) => stream.on('metadata', resolve));
  const next = reader(stream);
  await ask(agent, 'Kick', {});
  let event;
  do { // other tests are done, but their clients may still be leaving
    event = await next();
  } while (event.event !== 'kick');
  assert.strictEqual(event.source, 'grpc');
  stream.cancel();
  await fails(grpc.status.CANCELLED, next());
});

test('health', async () => {
  const health = connect(protos.health, env.DAEMON_RO);
  assert.strictEqual((await ask(health, 'Check', {})).status, 'SERVING');
  assert.strictEqual((await ask(health, 'Check', { service: 'KSMThrottler' })).status, 'SERVING');
  await fails(grpc.status.NOT_FOUND, ask(health, 'Check', { service: 'no.Such' }));
  const stream = health.Watch({ service: 'virtksm.v1.Agent' });
  const next = reader(stream);
  assert.strictEqual((await next()).status, 'SERVING');
  stream.cancel();
  await fails(grpc.status.CANCELLED, next());
});

for (const version of ['v1', 'v1alpha']) {
  test('reflection ' + version, async () => {
    const stream = connect(protos[version], env.DAEMON_RO).ServerReflectionInfo();
    const next = reader(stream);
    stream.write({ list_services: '*' });
    const names = (await next()).list_services_response.service.map((s) => s.name);
    assert.ok(names.includes('virtksm.v1.Agent') && names.includes('KSMThrottler'));
    const files = new Map(); // each once, by what is in it
    for (const name of names) {
      stream.write({ file_containing_symbol: name });
      for (const file of (await next()).file_descriptor_response.file_descriptor_proto) {
        files.set(file.toString('hex'), file);
      }
    }
    const bytes = Buffer.concat([...files.values()].map((file) => {
      // A FileDescriptorSet: field 1, length, bytes of each file.
      const length = [];
      for (let rest = file.length; ; rest >>= 7) {
        length.push(rest > 127 ? (rest & 127) | 128 : rest);
        if (rest <= 127) {
          return Buffer.concat([Buffer.from([10, ...length]), file]);
        }
      }
    }));
    const learnt = grpc.loadPackageDefinition(loader.loadFileDescriptorSetFromBuffer(bytes));
    const agent = connect(learnt.virtksm.v1.Agent, env.DAEMON_RO);
    assert.strictEqual((await ask(agent, 'Status', {})).mode, 'auto');
    stream.write({ file_by_filename: '/etc/passwd' });
    assert.strictEqual((await next()).error_response.error_code, grpc.status.NOT_FOUND);
    stream.end();
    assert.strictEqual(await next(), undefined);
  });
}

test.after(() => {
  clients.forEach((client) => client.close());
  // A test that failed may have left a stream open, which would keep the program alive.
  setTimeout(() => process.exit(), 1000).unref();
});
