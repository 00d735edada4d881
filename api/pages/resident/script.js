// What the resident's page does beyond its form. For browsers from 2017 on; with none of this the form still calls.
// Everything that is shown carries data-when: the words under which it is.
(function () {
  'use strict';
  const SOON = 3000; // Without an answer for so long the phones are shown.
  const ATTEMPT = 10000, POLL = 2000, KEY_LIVES = 600000, VOICE = 5000, LONGEST = 30000, RELOAD = 8000 - POLL;
  const html = document.documentElement, body = document.body;
  const id = (name) => document.getElementById(name);
  const all = (query) => Array.prototype.slice.call(document.querySelectorAll(query));
  const first = JSON.parse(body.getAttribute('data-state'));
  const token = body.getAttribute('data-token'), base = '/c/' + token;
  const place = first.place, more = {}, idle = first.view === 'ended' ? 'ended' : 'idle';
  let view = first.view, call = first.call, kept = {}, since = 0, misses = 0, polling = 0;
  let tries = 0, again = 0, refusedByNetwork = false, dialled = false, answered = true;
  let voice = null, voiceDeadline = 0, sound = null, declined = false;

  // ---- what is kept on this phone: a tap that is not answered yet, or the call that answered it

  function recall() {
    try { kept = JSON.parse(localStorage.getItem('anju ' + token)) || {}; } catch (error) { /* then only here */ }
    const age = Date.now() - kept.at;
    if (kept.key && !(age >= 0 && age < KEY_LIVES)) kept = {};
  }

  function keep(what) {
    kept = what;
    try { localStorage.setItem('anju ' + token, JSON.stringify(what)); } catch (error) { /* then only here */ }
  }

  function newKey() {
    const drawn = new Uint32Array(4);
    if (window.crypto && crypto.getRandomValues) crypto.getRandomValues(drawn);
    else drawn.forEach((_, index) => { drawn[index] = Math.random() * 4294967296; });
    return Array.prototype.map.call(drawn, (one) => one.toString(36)).join('-');
  }

  // ---- what is shown

  function draw() {
    const words = place.concat(view === 'call' ? call.shows : [view]);
    Object.keys(more).forEach((word) => { if (more[word]) words.push(word); });
    if (view === 'call' && call.open && call.state !== 'abandoned' && call.state !== 'freed') words.push('talk');
    const waits = words.indexOf('staff');
    if (voice && waits >= 0) words.splice(waits, 1);
    if (voice || waits < 0) words.push(voice ? 'voice-on' : 'voice-off');
    id('live').className = voice ? 'on' : waits < 0 ? '' : 'bar';
    all('[data-when]').forEach((part) => {
      part.hidden = !part.getAttribute('data-when').split(' ').some((word) => words.indexOf(word) >= 0);
    });
    body.className = view;
    id('phones').className = view === 'unsent' || view === 'refused' || view === 'ended' || more['voice-failed'] || more['voice-queued'] || words.indexOf('undelivered') >= 0 ? 'dial' : '';
  }

  function show(next) {
    view = next;
    draw();
  }

  function fill() {
    const done = Object.keys(call.steps), present = done[done.length - 1];
    const over = ['freed', 'abandoned', 'closed'].indexOf(call.state) >= 0;
    let passed = false;
    all('[data-step]').forEach((row) => {
      const name = row.getAttribute('data-step'), step = call.steps[name], now = name === present;
      passed = passed || now;
      row.className = now ? 'now' : step ? 'done' : '';
      row.hidden = !step && (over || !passed);
      row.querySelector('.by').textContent = step ? step.by : '';
      row.querySelector('time').textContent = step ? step.at : '';
      id(passed ? 'coming' : 'past').appendChild(row);
    });
    all('[data-count]').forEach((part) => { part.textContent = done.length - 1; });
    id('back').action = base + '/calls/' + call.id + '/abandon';
    tick();
  }

  function tick() {
    if (!call || !call.rescue || !call.rescue.by) return;
    const left = Math.max(0, Math.floor(call.rescue.left_seconds - (Date.now() - since) / 1000));
    const two = (count) => (count < 10 ? '0' : '') + count;
    const facts = { by: call.rescue.by, eta: call.arrives_at, left: Math.floor(left / 60) + ':' + two(left % 60) };
    all('[data-fact]').forEach((part) => { part.textContent = facts[part.getAttribute('data-fact')]; });
  }

  function dial() {
    const number = document.querySelector('a[href^="tel:"]');
    if (number) number.click();
  }

  // ---- asking the server

  function ask(path, how, patience) {
    const stop = window.AbortController ? new AbortController() : null;
    if (stop) how.signal = stop.signal;
    how.headers = Object.assign({ Accept: 'application/json' }, how.headers);
    how.credentials = 'same-origin'; // As it goes by itself in browsers from 2018 on.
    const asked = fetch(base + path, how); // What it throws at once leaves the tap to the form.
    return new Promise((go, fail) => {
      setTimeout(() => {
        fail(new Error('late'));
        if (stop) stop.abort();
      }, patience);
      asked.then(go, fail);
    });
  }

  // ---- the tap

  function tap() {
    recall();
    if (!kept.key) keep({ key: newKey(), at: Date.now() });
    id('call').elements.key.value = kept.key;
    clearTimeout(polling);
    answered = refusedByNetwork = dialled = more.kept = more.lost = false;
    tries = 0;
    attempt();
    show('sending');
    setTimeout(() => {
      if (answered || view !== 'sending') return;
      show('unsent');
      if (refusedByNetwork) dialOnce();
    }, SOON);
  }

  function attempt() {
    const key = kept.key;
    clearTimeout(again);
    tries += 1;
    ask('/calls', { method: 'POST', keepalive: true, headers: { 'Idempotency-Key': key } }, ATTEMPT)
      .then((answer) => answer.ok ? answer.json().then(called) : notNow(answer))
      .catch(unreachable);
  }

  function notNow(answer) {
    if (answered) return;
    if (answer.status === 410 && fromUs(answer)) { ended(); return; }
    if (answer.status === 429) show('refused');
    else if (answer.status < 500) show('unsent');
    retry(Math.min(LONGEST, 1000 * Number(answer.headers.get('Retry-After')) || 0));
  }

  // Others that stand between us say 404 and 410 too.
  function fromUs(answer) {
    return /problem.json/.test(answer.headers.get('Content-Type'));
  }

  // The code was replaced: no call can be made with it.
  function ended() {
    answered = true;
    clearTimeout(again);
    keep({});
    show('ended');
    id('said').focus();
  }

  function unreachable(error) {
    if (answered) return;
    refusedByNetwork = refusedByNetwork || error.message !== 'late';
    if (navigator.onLine === false) show('unsent');
    if (view === 'unsent' && refusedByNetwork) dialOnce();
    retry(0);
  }

  function retry(wait) {
    clearTimeout(again);
    again = setTimeout(attempt, Math.max(wait, Math.min(10000, 500 * Math.pow(2, tries)) * (0.7 + Math.random() / 2)));
  }

  function dialOnce() {
    if (!dialled) dial();
    dialled = true;
  }

  function called(told) {
    if (answered) return;
    answered = true;
    clearTimeout(again);
    keep({ call: told.id });
    try {
      take(told);
      history.replaceState(null, '', address());
      id('said').focus();
      follow();
    } catch (error) { location.href = base + '?call=' + told.id; } // The server shows it as well.
  }

  // ---- the call as it goes on

  function take(told) {
    call = told;
    since = Date.now();
    misses = 0;
    more.stale = false;
    if (!call.open) keep({});
    fill();
    show('call');
    if (!call.open && voice) hangUp();
    ring();
  }

  function follow() {
    clearTimeout(polling);
    const wait = document.hidden ? 5 * POLL : POLL * Math.min(4, Math.max(1, misses));
    if (call.open) polling = setTimeout(look, wait);
  }

  function address() {
    return base + '?call=' + call.id + '&lang=' + html.lang.slice(0, 2);
  }

  function loadAgain() {
    if (view === 'call' && call.open) location.replace(address());
  }

  function look() {
    const asked = call.id;
    clearTimeout(polling);
    let asking;
    try { asking = ask('/calls/' + asked, {}, 8000); } catch (error) { // In a browser that cannot ask.
      polling = setTimeout(loadAgain, RELOAD);
      return;
    }
    asking.then((answer) => {
      if (!answered || !call || asked !== call.id) return undefined;
      if (answer.status === 404 && fromUs(answer)) { forget(); return undefined; }
      if (!answer.ok) throw new Error(answer.status);
      return answer.json().then((told) => {
        if (!answered || !call || asked !== call.id) return;
        if (view === idle && !told.open) { forget(); return; }
        take(told);
        follow();
      });
    }).catch(() => {
      if (!answered || !call) return;
      misses += 1;
      more.stale = misses > 1 || navigator.onLine === false;
      draw();
      follow();
    });
  }

  function forget() {
    keep({});
    call = null;
    more.stale = false;
    show(idle);
  }

  function takeBack(event) {
    if (!call) return; // The form of a page that could not show its call is sent again by the browser.
    event.preventDefault();
    ask('/calls/' + call.id + '/abandon', { method: 'POST', keepalive: true }, ATTEMPT)
      .then((answer) => {
        if (!answer.ok) throw new Error(answer.status);
        return answer.json();
      })
      .then((told) => { take(told); id('said').focus(); follow(); })
      .catch(() => { event.target.submit(); });
  }

  function leave(event) {
    const fields = event.target.elements;
    const said = ['name', 'phone', 'people'].map((name) => name + '=' + encodeURIComponent(fields[name].value));
    const how = { method: 'POST', body: said.join('&'), headers: { 'Content-Type': 'application/x-www-form-urlencoded' } };
    const told = (kept) => {
      more.kept = kept;
      more.lost = !kept;
      draw();
    };
    event.preventDefault();
    try { ask('/calls/' + call.id + '/details', how, ATTEMPT).then((answer) => told(answer.ok), () => told(false)); } catch (error) { told(false); }
  }

  // ---- staff wait to talk: a sound, as far as a browser that was tapped allows it

  function wake() {
    try {
      sound = sound || new (window.AudioContext || window.webkitAudioContext)();
      if (sound.state === 'suspended') sound.resume();
    } catch (error) { /* then without a sound */ }
  }

  function ring() {
    const waits = call.open && call.shows.indexOf('staff') >= 0;
    declined = declined && waits;
    if (!waits || voice || declined || !sound) return;
    [660, 880].forEach((pitch, index) => {
      const tone = sound.createOscillator(), at = sound.currentTime + index / 4;
      tone.frequency.value = pitch;
      tone.connect(sound.destination);
      tone.start(at);
      tone.stop(at + 0.2);
    });
    if (navigator.vibrate) navigator.vibrate([200, 50, 200]);
  }

  // ---- the voice: its script is fetched when somebody wants to talk

  function hear(state, detail) {
    ['connecting', 'waiting', 'queued', 'talking', 'ended', 'failed', 'muted'].forEach((word) => {
      more['voice-' + word] = word === state || (word === 'muted' && detail.muted);
    });
    if (state === 'talking' || state === 'queued') clearTimeout(voiceDeadline);
    if (state === 'queued') voiceDeadline = setTimeout(dial, VOICE); // The page goes on waiting meanwhile.
    if (state === 'ended') voice = null;
    draw();
    if (state === 'failed' || state === 'busy') dialInstead();
  }

  function dialInstead() {
    const had = voice;
    clearTimeout(voiceDeadline);
    voice = null;
    declined = true;
    if (had && had.stop) had.stop();
    hear('', {});
    more['voice-failed'] = true;
    draw();
    dial();
  }

  function hangUp() {
    const had = voice;
    clearTimeout(voiceDeadline);
    voice = null;
    declined = true;
    if (had.stop) had.stop();
    hear('ended', {});
  }

  function talk() {
    if (voice) { hangUp(); return; }
    const mine = voice = {};
    hear('connecting', {});
    voiceDeadline = setTimeout(dialInstead, VOICE);
    load('/c/voice.js', () => {
      if (voice !== mine) return;
      if (!window.AnjuVoice) { dialInstead(); return; }
      const onstate = (state, detail) => {
        if (voice) hear(state, detail || {});
      };
      const started = window.AnjuVoice.start({ url: base + '/calls/' + call.id + '/voice', role: 'resident', onstate: onstate });
      if (voice) voice = started;
    });
  }

  function load(address, then) {
    if (window.AnjuVoice) { then(); return; }
    const script = document.createElement('script');
    script.src = address;
    script.onload = then;
    script.onerror = dialInstead;
    body.appendChild(script);
  }

  // ---- beginning

  function speak(lang) {
    html.lang = lang === 'en' ? 'en' : 'zh-CN';
    all('[name=lang]').forEach((field) => { field.value = lang; });
    try { localStorage.setItem('anju lang', lang); } catch (error) { /* then only now */ }
  }

  id('call').addEventListener('submit', (event) => {
    try { tap(); } catch (error) { return; } // The browser sends the form itself.
    event.preventDefault();
  });
  id('back').addEventListener('submit', takeBack);
  id('details').addEventListener('submit', leave);
  id('talk').addEventListener('click', talk);
  document.addEventListener('click', wake);
  all('nav a').forEach((link) => {
    link.addEventListener('click', (event) => {
      event.preventDefault();
      speak(link.hreflang.slice(0, 2));
    });
  });
  addEventListener('online', () => { if (!answered) attempt(); else if (call && call.open) look(); });
  document.addEventListener('visibilitychange', () => { if (!document.hidden && call && call.open) look(); });
  setInterval(tick, 1000);
  try {
    const chosen = localStorage.getItem('anju lang');
    if (chosen && location.search.indexOf('lang=') < 0) speak(chosen);
  } catch (error) { /* the server's choice stands */ }
  recall();
  if (call) {
    if (call.open) keep({ call: call.id });
    take(call);
    follow();
  } else if (kept.call && view === idle) {
    call = { id: kept.call, open: true };
    look();
  } else if (view === 'unkept' || (kept.key && view === 'idle')) { // Somebody tapped, and nobody has heard it yet.
    try { tap(); } catch (error) { /* then the form says what to do */ }
  }
  window.anjuRuns = true;
  addEventListener('load', () => { // After it, for on a bad line the tap goes first.
    const worker = navigator.serviceWorker;
    if (worker) worker.register('/c/sw.js').catch(() => { /* then without */ });
  });
})();
