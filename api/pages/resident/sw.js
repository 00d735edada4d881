/* Keeps the page of every code that was scanned on this phone, with its numbers: it shows without a network. */
'use strict';
const KEPT = 'anju pages 1';
const PATIENCE = 2500; // Then what is kept is shown: it calls just as well, and asks the server by itself.
const PAGE = /^\/c\/([\w-]+)(\/calls(\/.*)?)?$/;
const LAST = '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">' +
  '<title>96333</title><body style="font:24px sans-serif"><h1>无法连接 / No connection</h1><p>请拨打电话 / Please dial</p>' +
  '<p><a href="tel:96333">96333</a></p><p><a href="tel:119">119</a></p>';

function pageOf(address) {
  const found = PAGE.exec(new URL(address).pathname);
  return found && '/c/' + found[1];
}

// What has no mark of ours comes from something between us that has lost the server, or wants to be paid.
function ours(answer) {
  return answer.headers.has('Anju-Page');
}

// 410 is the page of a code that was replaced: it shows its numbers, and takes the place of the one with the button.
function keep(path, answer) {
  if ((answer.status !== 200 && answer.status !== 410) || !ours(answer)) return Promise.resolve();
  return caches.open(KEPT).then((cache) => cache.put(path, answer));
}

function kept(path) {
  return caches.open(KEPT).then((cache) => cache.match(path));
}

function keptOrNumbers(path) {
  return kept(path).then((page) => page || new Response(LAST, { status: 503, headers: { 'Content-Type': 'text/html' } }));
}

// The page that brought this worker was loaded before it: the browser's own store still has it.
function keepOpenPages() {
  return self.clients.matchAll({ includeUncontrolled: true, type: 'window' }).then((open) => Promise.all(open.map((one) => {
    const path = pageOf(one.url);
    return path && fetch(path, { cache: 'force-cache' }).then((answer) => keep(path, answer)).catch(() => undefined);
  })));
}

// A redirect has no headers that a worker may read.
function told(path, answer, instead) {
  return answer.status < 400 ? answer : ours(answer) ? instead : keptOrNumbers(path);
}

function get(event, path) {
  let saving;
  const fresh = fetch(event.request).then((answer) => {
    if (event.request.url.indexOf('call=') < 0) saving = keep(path, answer.clone());
    return told(path, answer, answer.status < 500 ? answer : kept(path).then((page) => page || answer));
  });
  event.waitUntil(fresh.then(() => saving).catch(() => undefined));
  const late = new Promise((go) => setTimeout(go, PATIENCE)).then(() => kept(path)).then((page) => page || fresh);
  return Promise.race([fresh, late]).catch(() => keptOrNumbers(path));
}

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim().then(keepOpenPages)));
self.addEventListener('fetch', (event) => {
  const path = event.request.mode === 'navigate' && pageOf(event.request.url);
  if (!path) return;
  event.respondWith(event.request.method === 'GET' ? get(event, path)
    : fetch(event.request).then((answer) => told(path, answer, answer)).catch(() => keptOrNumbers(path)));
});
