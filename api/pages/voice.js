/* The voice between a resident's page and the duty room: audio by WebRTC from browser to browser, set up through our
 * own WebSocket. One classic script for both pages, for browsers from 2017 on.
 *
 *   const voice = AnjuVoice.start({url, role: 'resident' | 'staff', onstate(state, detail), audio, takeOver});
 *   voice.stop(); voice.mute(true); await voice.stats();
 *
 * States: connecting; waiting (nobody at the other end yet, or no more); queued (another resident's page has the seat);
 * talking; busy (detail.by talks already, or the waiting place was lost too often); and at the end failed (dial the
 * phone) or ended. detail: {waiting: how many residents' pages are queued, reason, by, muted: the browser wants a tap
 * before it plays, microphone: '' | 'granted' | 'refused' | 'missing', other: the same of the other end}.
 */
(function () {
  'use strict';

  const DEADLINE = 5000; // After this long without a connection a phone call is the faster help.
  const MICROPHONE_PATIENCE = 1200; // Somebody who reads the browser's question can listen meanwhile.
  const DROPPED_PATIENCE = 1000; // Wireless networks stumble; most of that mends itself within a second.
  const DISPLACED_LIMIT = 10; // A page that lost its waiting place comes again so often: over half a minute or more.
  const FINAL = ['failed', 'ended', 'busy'];

  function start(options) {
    const resident = options.role === 'resident';
    const audio = options.audio || new Audio();
    const client = String(Math.random()).slice(2) + Date.now();
    const detail = { waiting: 0, reason: '', by: '', muted: false, microphone: '', other: '' };
    let state = '', socket, tries = 0, ice = [], pc, round = '', early = [], stream, sender;
    let deadline = 0, dropped = 0, reopening = 0, displaced = 0, talked = false, known = false;

    const over = () => FINAL.indexOf(state) >= 0;

    function show(next, changes) {
      if (over()) return;
      state = next;
      Object.assign(detail, changes);
      if (options.onstate) options.onstate(state, Object.assign({}, detail));
    }

    function send(message) {
      if (socket && socket.readyState === 1) socket.send(JSON.stringify(message));
    }

    function arm() {
      if (!deadline) deadline = setTimeout(() => finish('failed', { reason: 'timeout' }), options.deadline || DEADLINE);
    }

    function disarm() {
      clearTimeout(deadline);
      clearTimeout(dropped);
      deadline = dropped = 0;
    }

    function finish(last, changes) {
      if (over()) return;
      send({ type: 'bye' });
      show(last, changes);
      disarm();
      clearTimeout(reopening);
      drop();
      if (stream) stream.getTracks().forEach((track) => track.stop());
      if (socket) socket.close();
      audio.srcObject = null;
      removeEventListener('pagehide', leave);
    }

    function leave() {
      finish('ended', { reason: 'left' });
    }

    function drop() {
      if (pc) pc.close();
      pc = sender = undefined;
      early = [];
    }

    // ---- the microphone

    function listen() {
      if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) return Promise.resolve('missing');
      return navigator.mediaDevices
        .getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } })
        .then((got) => { stream = got; return 'granted'; })
        .catch((error) => (error.name === 'NotAllowedError' ? 'refused' : 'missing'));
    }

    const microphone = listen().then((found) => {
      if (over()) return stream && stream.getTracks().forEach((track) => track.stop());
      detail.microphone = found;
      show(state, {});
      if (!stream || !pc) return undefined;
      if (state === 'talking' && sender) {
        ready({ round });
        return sender.replaceTrack(stream.getAudioTracks()[0]);
      }
      return ready({}); // Only now does the browser show its addresses in the local network: once more from the start.
    });
    const settled = Promise.race([microphone, new Promise((go) => setTimeout(go, MICROPHONE_PATIENCE))]);

    // ---- messages

    function open() {
      const address = new URL(options.url, location.href);
      address.protocol = address.protocol.replace('http', 'ws');
      address.searchParams.set('client', client);
      if (options.takeOver && !known) address.searchParams.set('take_over', '1');
      socket = new WebSocket(address.href);
      socket.onmessage = (event) => hear(JSON.parse(event.data));
      socket.onclose = (event) => {
        if (over()) return;
        if (event.code === 4410) finish('ended', { reason: 'closed' });
        else if (event.code > 4400 && event.code < 4409) finish('failed', { reason: 'refused' });
        else reopening = setTimeout(open, Math.min(5000, 250 * Math.pow(2, tries++)));
      };
    }

    function ready(more) {
      send(Object.assign({ type: 'ready', microphone: detail.microphone }, more));
    }

    function hear(message) {
      const heard = { hello, ready: begin, offer: answer, answer: accept, candidate: add, bye, busy, wait, waiting };
      if (!over() && heard[message.type]) heard[message.type](message);
    }

    function hello(message) {
      ice = message.ice;
      known = true; // Who comes again takes no seat from anybody.
      tries = 0;
      if (state === 'queued') {
        show('connecting', {});
        arm();
      }
      if (!resident && !pc && !message.other) show('waiting', {});
      settled.then(() => ready(pc && state === 'talking' ? { round } : {}));
    }

    function wait() {
      disarm();
      drop();
      round = '';
      if (state !== 'queued') show('queued', {}); // Who was displaced and came again waits on: the dialler opens once.
    }

    function waiting(message) {
      show(state, { waiting: message.count });
    }

    function bye(message) {
      if (message.reason === 'lost') return; // Its socket: the audio may well go on.
      if (message.reason === 'displaced') {
        displaced += 1;
        if (displaced > DISPLACED_LIMIT) finish('busy', { by: '' });
        return; // The server closes the socket, and `onclose` opens the next one.
      }
      if (message.reason !== 'left') { finish('ended', message); return; }
      drop();
      if (talked) disarm();
      if (talked || !resident) show('waiting', { reason: 'left', by: message.by });
    }

    function busy(message) {
      finish('busy', { by: message.by });
    }

    // ---- one round: one peer connection

    function begin(message) {
      detail.other = message.microphone || detail.other;
      if (message.round === round && pc) {
        if (message.restart && resident) offer({ iceRestart: true });
        else show(state, {});
        return;
      }
      round = message.round;
      drop();
      show('connecting', { reason: '' });
      arm();
      connect();
      if (resident) offer({});
    }

    function connect() {
      const mine = pc = new RTCPeerConnection({ iceServers: ice });
      if (resident) attach();
      pc.onicecandidate = (event) => {
        if (mine === pc && event.candidate) send({ type: 'candidate', round, candidate: event.candidate.toJSON() });
      };
      pc.ontrack = (event) => play(event.streams[0] || new MediaStream([event.track]));
      const watched = 'connectionState' in pc ? ['onconnectionstatechange', 'connectionState']
        : ['oniceconnectionstatechange', 'iceConnectionState'];
      pc[watched[0]] = () => { if (mine === pc) changed(pc[watched[1]]); };
    }

    function attach() {
      const track = stream && stream.getAudioTracks()[0];
      const there = pc.getTransceivers ? pc.getTransceivers()[0] : undefined;
      if (track) sender = pc.addTrack(track, stream);
      else if (there) { there.direction = 'sendrecv'; sender = there.sender; }
      else if (pc.addTransceiver) sender = pc.addTransceiver('audio', { direction: 'sendrecv' }).sender;
    }

    function changed(now) {
      if (now === 'connected' || now === 'completed') {
        disarm();
        talked = true;
        show('talking', { reason: '' });
      } else if (now === 'disconnected' || now === 'failed') {
        show('connecting', { reason: 'dropped' });
        arm();
        clearTimeout(dropped);
        dropped = setTimeout(restart, now === 'failed' ? 0 : DROPPED_PATIENCE);
      }
    }

    function restart() {
      if (resident) offer({ iceRestart: true });
      else ready({ round, restart: true });
    }

    function offer(how) {
      describe(pc, () => pc.createOffer(Object.assign({ offerToReceiveAudio: true }, how)));
    }

    function answer(message) {
      if (message.round !== round || !pc) return;
      receive('offer', message, (mine) => {
        if (!sender) attach();
        describe(mine, () => mine.createAnswer());
      });
    }

    function accept(message) {
      if (message.round === round && pc) receive('answer', message, () => undefined);
    }

    function describe(mine, make) {
      make().then((made) => (mine === pc ? mine.setLocalDescription(made) : undefined)).then(() => {
        if (mine === pc) send({ type: mine.localDescription.type, round, sdp: mine.localDescription.sdp });
      }).catch((error) => show(state, { reason: String(error) }));
    }

    function receive(type, message, then) {
      const mine = pc;
      mine.setRemoteDescription({ type, sdp: message.sdp }).then(() => {
        if (mine !== pc) return;
        early.splice(0).forEach((one) => mine.addIceCandidate(one).catch(() => undefined));
        then(mine);
      }).catch((error) => show(state, { reason: String(error) }));
    }

    function add(message) {
      if (message.round !== round || !pc || !message.candidate) return;
      if (pc.remoteDescription) pc.addIceCandidate(message.candidate).catch(() => undefined);
      else early.push(message.candidate);
    }

    function play(heard) {
      audio.srcObject = heard;
      const playing = audio.play();
      if (playing) playing.then(() => { if (detail.muted) show(state, { muted: false }); }).catch(blocked);
    }

    function blocked(error) {
      if (error.name !== 'NotAllowedError' || over()) return;
      show(state, { muted: true });
      document.addEventListener('click', () => play(audio.srcObject), { once: true });
    }

    function mute(quiet) {
      if (stream) stream.getAudioTracks().forEach((track) => { track.enabled = !quiet; });
    }

    async function stats() {
      const found = { sent: 0, received: 0, round_trip_seconds: null };
      if (!pc) return found;
      (await pc.getStats()).forEach((one) => {
        if ((one.kind || one.mediaType) === 'audio' && one.type === 'outbound-rtp') found.sent += one.packetsSent;
        if ((one.kind || one.mediaType) === 'audio' && one.type === 'inbound-rtp') found.received += one.packetsReceived;
        if (one.type === 'candidate-pair' && one.nominated) found.round_trip_seconds = one.currentRoundTripTime;
      });
      return found;
    }

    addEventListener('pagehide', leave);
    show('connecting', {});
    if (resident) arm();
    open();
    return { stop: leave, mute, stats };
  }

  window.AnjuVoice = { start };
})();
