"""A headless Chromium driven through chromedriver's WebDriver protocol, with the standard library alone."""
import base64
import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile


class Browser:
    """Opens files from disk; every message of the console and every uncaught error is kept in `messages`."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix='crimg-chromium-')
        self.driver = subprocess.Popen(['chromedriver', '--port=0'], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        self.port = self.session = None
        self.messages = []
        try:
            self.port = self._port()
            self.session = self._begin()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _port(self):
        for line in self.driver.stdout:
            found = re.search(r'successfully on port (\d+)', line)
            if found:
                return int(found[1])
        raise RuntimeError('chromedriver does not start')

    def _begin(self):
        arguments = ['--headless=new', '--disable-gpu', '--disable-quic', '--no-first-run', '--hide-scrollbars',
                     '--disable-background-networking', '--disable-component-update', '--disable-sync',
                     '--force-device-scale-factor=1', '--user-data-dir=' + self.profile]
        if os.geteuid() == 0:
            arguments.append('--no-sandbox')
        wanted = {'browserName': 'chrome', 'goog:loggingPrefs': {'browser': 'ALL'},
                  'goog:chromeOptions': {'args': arguments}}
        answer = self._call('POST', '/session', {'capabilities': {'alwaysMatch': wanted}})
        return answer['sessionId']

    def _call(self, method, path, body=None):
        link = http.client.HTTPConnection('127.0.0.1', self.port, timeout=180)
        try:
            link.request(method, path, None if body is None else json.dumps(body),
                         {'Content-Type': 'application/json'})
            value = json.loads(link.getresponse().read())['value']
        finally:
            link.close()
        if isinstance(value, dict) and 'error' in value:
            raise RuntimeError(value['error'] + ': ' + value.get('message', '').split('\n')[0])
        return value

    def call(self, path, body=None, method='POST'):
        return self._call(method, f'/session/{self.session}{path}', {} if body is None and method == 'POST' else body)

    def devtools(self, command, **parameters):
        return self.call('/goog/cdp/execute', {'cmd': command, 'params': parameters})

    def size(self, width, height):
        self.devtools('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1,
                      mobile=width < 600)

    def dark(self, on):
        self.devtools('Emulation.setEmulatedMedia',
                      features=[{'name': 'prefers-color-scheme', 'value': 'dark' if on else 'light'}])

    def open(self, path):
        self.call('/url', {'url': 'file://' + os.path.abspath(path)})

    def run(self, script, *arguments):
        """The body of a function; returns what it returns."""
        return self.call('/execute/sync', {'script': script, 'args': list(arguments)})

    def settle(self):
        """A frame in which sizes are observed, one that draws, and one more."""
        self.call('/execute/async', {'script': 'const done = arguments[0]; let frames = 3; const next = () =>'
                                     '(frames-- > 0 ? requestAnimationFrame(next) : done()); next()', 'args': []})

    def keys(self, text):
        """Real key presses at what has the focus."""
        actions = [{'type': kind, 'value': c} for c in text for kind in ('keyDown', 'keyUp')]
        self.call('/actions', {'actions': [{'type': 'key', 'id': 'keyboard', 'actions': actions}]})

    def mouse(self, x, y, click=False):
        """A real pointer at this point of the window."""
        actions = [{'type': 'pointerMove', 'duration': 0, 'x': int(x), 'y': int(y)}]
        if click:
            actions += [{'type': 'pointerDown', 'button': 0}, {'type': 'pointerUp', 'button': 0}]
        self.call('/actions', {'actions': [{'type': 'pointer', 'id': 'mouse', 'actions': actions,
                                            'parameters': {'pointerType': 'mouse'}}]})

    def screenshot(self, path, whole=False):
        if whole:
            shot = self.devtools('Page.captureScreenshot', captureBeyondViewport=True)['data']
        else:
            shot = self.call('/screenshot', method='GET')
        with open(path, 'wb') as f:
            f.write(base64.b64decode(shot))

    def console(self):
        """Messages since the last call: errors, warnings, refusals of the policy."""
        new = [m['message'] for m in self.call('/se/log', {'type': 'browser'})]
        self.messages += new
        return new

    def close(self):
        if self.session is not None:
            try:
                self._call('DELETE', f'/session/{self.session}')
            except (OSError, RuntimeError):
                pass
        self.driver.terminate()
        self.driver.wait()
        shutil.rmtree(self.profile, ignore_errors=True)
