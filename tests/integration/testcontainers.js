// A test's containers by testcontainers, as programs in JavaScript use it, on a davitd whose default is a bridge.
'use strict';
const assert = require('assert');
const http = require('http');
const { GenericContainer, Network, Wait } = require('testcontainers');
const get = (host, port) => new Promise((resolve, reject) => {
    http.get({ host, port, path: '/' }, (response) => {
        let text = '';
        response.on('data', (chunk) => { text += chunk; });
        response.on('end', () => resolve(text.trim()));
    }).on('error', reject);
});
async function main() {
    const container = await new GenericContainer('busybox')
        .withCommand(['sh', '-c', 'mkdir /w; echo from inside > /w/index.html; echo ready; exec httpd -f -p 80 -h /w'])
        .withExposedPorts(80)
        .withEnvironment({ COLOUR: 'blue' })
        .withCopyContentToContainer([{ content: 'copied', target: '/tmp/copied' }])
        .withWaitStrategy(Wait.forAll([Wait.forListeningPorts(), Wait.forLogMessage(/ready/)]))
        .start();
    assert.equal(await get(container.getHost(), container.getMappedPort(80)), 'from inside');
    const { output, exitCode } = await container.exec(['sh', '-c', 'cat /tmp/copied; echo; echo $COLOUR']);
    assert.equal(exitCode, 0);
    assert.deepEqual(output.trim().split('\n'), ['copied', 'blue']);
    await container.restart();
    assert.equal(await get(container.getHost(), container.getMappedPort(80)), 'from inside');
    await container.stop();
    const network = await new Network().start();
    const other = await new GenericContainer('busybox').withNetwork(network).withNetworkAliases('one').withCommand(['sleep', '1000']).start();
    assert.match(other.getIpAddress(network.getName()), /^172\./);
    assert.match((await other.exec(['nslookup', 'one'])).output, /Name:\s+one/);
    await other.stop();
    await network.stop();
}
main().catch((error) => { console.error(error); process.exit(1); });
