// The desk's end of the voice: one call at a time.
import { h, phone } from './dom.js';
import { ask } from './server.js';
import { t } from './text.js';

const OVER = ['failed', 'ended', 'busy'];

export class Talk {
  constructor(onchange) {
    this.onchange = onchange;
    this.call = '';
    this.state = '';
    this.detail = {};
    this.muted = false;
  }

  get live() {
    return this.call !== '' && !OVER.includes(this.state);
  }

  start(call, takeOver = false) {
    this.stop();
    this.call = call;
    this.muted = false;
    let mine;
    const onstate = (state, detail) => {
      if (mine !== undefined && this.voice !== mine) return;
      this.state = state;
      this.detail = detail;
      this.onchange();
    };
    const audio = document.getElementById('voice');
    mine = this.voice = window.AnjuVoice.start({
      url: `/api/v1/emergency-calls/${call}/voice`, role: 'staff', onstate, audio, takeOver,
    });
  }

  stop() {
    this.voice?.stop();
  }

  mute() {
    this.muted = !this.muted;
    this.voice.mute(this.muted);
    this.onchange();
  }

  /** What `view` depends on. */
  key(call) {
    return this.call === call.id ? [this.state, this.detail, this.muted] : [];
  }

  view(call) {
    const mine = this.call === call.id && this.state !== '';
    const again = (word, takeOver) => button(word, () => this.start(call.id, takeOver));
    if (!mine) return call.open && call.state !== 'ringing' ? [h('div', { class: 'row' }, again('voice_start', false))] : [];
    const said = h('p', { class: `voice-state ${this.state}`, role: 'status' }, h('i', {}), this.words());
    const actions = this.live
      ? [button(this.muted ? 'voice_unmute' : 'voice_mute', () => this.mute()), button('voice_stop', () => this.stop(), 'danger')]
      : call.open && [this.state === 'busy' ? again('voice_take_over', true) : again('voice_again', false)];
    const number = this.state === 'failed' && call.caller.phone;
    return [said, number && h('p', {}, phone(number)), this.notes(), this.line(call), h('div', { class: 'row' }, actions)];
  }

  /** Who else wants in. */
  line(call) {
    const count = this.live ? this.detail.waiting : 0;
    const handOn = () => ask('POST', `/emergency-calls/${call.id}/voice/hand-on`).catch(() => this.onchange());
    return count > 0 && h('p', { class: 'warn', id: 'voice-line' }, t('voice_line', { count }), ' ', button('voice_hand_on', handOn));
  }

  words() {
    const by = { name: this.detail.by };
    if (this.state === 'waiting' && this.detail.reason === 'left') return t('voice_left');
    if (this.state === 'ended' && this.detail.reason === 'taken_over') return t('voice_taken_over', by);
    return t(`voice_${this.state}`, by);
  }

  notes() {
    const { microphone, other, muted } = this.detail;
    const notes = [
      ['refused', 'missing'].includes(microphone) && t(`voice_${microphone}`),
      this.state === 'talking' && ['refused', 'missing'].includes(other) && t('voice_other_refused'),
      muted && t('voice_tap'),
    ];
    return this.live && notes.filter(Boolean).map((note) => h('p', { class: 'warn' }, note));
  }
}

function button(word, onclick, kind = '') {
  return h('button', { type: 'button', id: word, class: kind, onclick }, t(word));
}
