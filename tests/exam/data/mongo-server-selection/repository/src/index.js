const express = require('express');
const { MongoClient } = require('mongodb');

const client = new MongoClient(process.env.MONGO_URL, { serverSelectionTimeoutMS: 700 });
const app = express();
app.get('/posts', async (req, res) => res.json(await client.db('blog').collection('posts').find().toArray()));
app.listen(8080, () => console.log('ready'));
