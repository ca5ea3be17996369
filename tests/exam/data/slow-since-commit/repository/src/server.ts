import express from 'express';
import { feed } from './feed';

const app = express();
app.get('/feed', feed);
app.get('/health', (_req, res) => res.send('ok'));
app.listen(8080);
