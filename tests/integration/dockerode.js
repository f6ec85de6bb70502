// A container's whole life by dockerode, as programs in JavaScript use it. usage: node dockerode.js SOCKET
'use strict';
const assert = require('assert');
const { PassThrough } = require('stream');
const Docker = require('dockerode');

const docker = new Docker({ socketPath: process.argv[2] });

const collect = (stream) => new Promise((resolve, reject) => {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => resolve(Buffer.concat(chunks)));
    stream.on('error', reject);
});

// The two streams of a multiplexed one, as text, once it has ended.
const demultiplex = (stream) => new Promise((resolve) => {
    const parts = { out: '', err: '' };
    const out = new PassThrough();
    const err = new PassThrough();
    out.on('data', (chunk) => { parts.out += chunk; });
    err.on('data', (chunk) => { parts.err += chunk; });
    docker.modem.demuxStream(stream, out, err);
    stream.on('end', () => resolve(parts));
});

async function refuses(promise, status) {
    await assert.rejects(promise, (error) => error.statusCode === status && Boolean(error.json.message));
}

async function runs() {
    const output = new PassThrough();
    const text = collect(output);
    const [result, container] = await docker.run('busybox', ['sh', '-c', 'echo out; exit 4'], output);
    assert.strictEqual(result.StatusCode, 4);
    assert.match((await text).toString(), /out/);
    await container.remove();
}

async function lives() {
    const container = await docker.createContainer({
        Image: 'busybox', name: 'js-life', Labels: { 'made.by': 'js' }, OpenStdin: true, StdinOnce: true, AttachStdin: true,
        Cmd: ['sh', '-c', 'cat; echo done >&2; exec sleep 1000'], HostConfig: { Binds: ['js-volume:/v'] } });
    const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
    await container.start();
    await refuses(container.start(), 304).catch(() => undefined);
    stream.end('through stdin\n');
    while (!(await container.logs({ stdout: true, stderr: true })).toString().includes('done')) {
        await new Promise(setImmediate);
    }
    const list = await docker.listContainers({ filters: { label: ['made.by=js'] } });
    assert.strictEqual(list.length, 1);
    assert.strictEqual(list[0].Mounts[0].Name, 'js-volume');

    const exec = await container.exec({ Cmd: ['sh', '-c', 'echo to out; echo to err >&2; exit 7'], AttachStdout: true, AttachStderr: true });
    assert.deepStrictEqual(await demultiplex(await exec.start({ hijack: true })), { out: 'to out\n', err: 'to err\n' });
    const inspected = await exec.inspect();
    assert.deepStrictEqual([inspected.Running, inspected.ExitCode], [false, 7]);

    const archive = await collect(await container.getArchive({ path: '/etc/passwd' }));
    await container.putArchive(archive, { path: '/v' });
    const stats = await container.stats({ stream: false });
    assert.strictEqual(stats.name, '/js-life');
    assert.ok((await container.top()).Titles.includes('PID'));
    const frames = await container.logs({ follow: false, stdout: true, stderr: false, timestamps: true });
    assert.match(frames.toString(), /T[0-9:.]+Z through stdin/);
    await refuses(container.remove(), 409);
    await container.stop({ t: 0 });
    const waited = await container.wait();
    assert.strictEqual(waited.StatusCode, 137);
    await container.remove({ v: true });
    await refuses(container.inspect(), 404);
    await docker.getVolume('js-volume').remove();
}

async function hears() {
    const events = await docker.getEvents({ since: 1, until: Date.now() / 1000, filters: { container: ['js-life'] } });
    const actions = (await collect(events)).toString().trim().split('\n').map((line) => JSON.parse(line).Action);
    for (const action of ['create', 'attach', 'start', 'archive-path', 'extract-to-dir', 'die', 'destroy']) {
        assert.ok(actions.includes(action), `${action} in ${actions}`);
    }
}

async function images() {
    const image = docker.getImage('busybox:latest');
    await image.tag({ repo: 'js/copy', tag: '1' });
    assert.ok((await docker.listImages()).some((one) => (one.RepoTags || []).includes('js/copy:1')));
    const archive = await collect(await docker.getImage('js/copy:1').get());
    assert.ok(archive.length > 100000);
    await docker.getImage('js/copy:1').remove();
    assert.ok((await docker.df()).LayersSize > 0);
    assert.strictEqual((await docker.ping()).toString(), 'OK');
}

(async () => {
    await runs();
    await lives();
    await hears();
    await images();
})().catch((error) => { console.error(error); process.exit(1); });
